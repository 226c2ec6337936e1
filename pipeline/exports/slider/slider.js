// Moves the edits of a face along their steps. Without this script all steps stand beside each other.
(() => {
  const HALF = 50;
  const master = document.getElementById("all");

  const faces = [...document.querySelectorAll(".face")].map((section) => {
    const slide = section.querySelector("input");
    const output = section.querySelector("output");
    const shares = section.dataset.shares.split(" ").map(Number);
    const said = slide.dataset.said.split("|");
    const spoken = slide.dataset.spoken.split("|");
    const source = section.querySelector(".source img");
    const methods = [...section.querySelectorAll(".method")].map((figure) => {
      figure.querySelector(".of-source img").src = source.src;
      return { steps: [...figure.querySelectorAll(".step")], shows: figure.dataset.shows.split(" ").map(Number) };
    });

    const show = () => {
      const place = Number(slide.value);
      output.textContent = said[place];
      slide.setAttribute("aria-valuetext", spoken[place]);
      for (const method of methods) {
        const next = method.steps[method.shows[place]];
        method.wanted = next;
        const swap = () => {
          if (method.wanted === next) method.steps.forEach((step) => { step.hidden = step !== next; });
        };
        // The picture before stays until the next one can be painted, so that nothing flickers.
        next.querySelector("img").decode().then(swap, swap);
      }
    };

    const move = (place) => {
      const to = Math.min(Math.max(place, 0), shares.length - 1);
      if (to === Number(slide.value)) return;
      slide.value = to;
      show();
    };

    const nearest = (share) => shares.reduce((best, one, place) =>
      (Math.abs(one - share) < Math.abs(shares[best] - share) ? place : best), 0);

    slide.addEventListener("input", show);
    for (const figure of section.querySelectorAll(".method")) {
      let from = null;
      figure.addEventListener("pointerdown", (event) => {
        if (event.target.tagName !== "IMG" || event.button !== 0) return;
        from = { x: event.clientX, place: Number(slide.value), width: event.target.clientWidth };
        figure.setPointerCapture(event.pointerId);
      });
      figure.addEventListener("pointermove", (event) => {
        if (from === null) return;
        move(Math.round(from.place + ((event.clientX - from.x) / from.width) * (shares.length - 1)));
      });
      for (const end of ["pointerup", "pointercancel"]) figure.addEventListener(end, () => { from = null; });
    }
    return { move, nearest, show };
  });

  const moveAll = () => {
    const percent = Number(master.value);
    document.querySelector(".all output").textContent = percent ? `${percent} %`.replace("-", "\u2212") : "source";
    for (const face of faces) face.move(face.nearest(percent / 100));
  };

  document.body.classList.add("live");
  master.addEventListener("input", moveAll);
  master.value = HALF;
  for (const face of faces) face.show();
  moveAll();
})();
