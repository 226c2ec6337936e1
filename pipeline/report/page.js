// Enlarges a face. Without this script the page lacks only that.
(() => {
  const viewer = document.getElementById("viewer");
  if (typeof viewer.showModal !== "function") return;
  const part = (name) => viewer.querySelector(name);
  let frames = [];
  let at = 0;

  const show = (place) => {
    at = (place + frames.length) % frames.length;
    const frame = frames[at];
    const card = frame.querySelector(".card");
    const facts = document.createElement("dl");
    facts.className = "facts";
    if (card) facts.append(...card.cloneNode(true).children);
    part(".viewer-picture").replaceChildren(frame.querySelector("img, .blank").cloneNode(true));
    part(".viewer-facts").replaceChildren(facts);
    part("#viewer-title").textContent = "Face " + frame.parentElement.querySelector(".index").textContent;
    part(".viewer-sheet").textContent = `${frame.closest(".grid").dataset.sheet}: ${at + 1} of ${frames.length}`;
  };

  const open = (frame) => {
    frames = [...frame.closest(".grid").querySelectorAll(".frame")];
    show(frames.indexOf(frame));
    viewer.showModal();
  };

  for (const frame of document.querySelectorAll(".frame")) {
    frame.setAttribute("role", "button");
    frame.setAttribute("aria-haspopup", "dialog");
    frame.addEventListener("click", () => open(frame));
    frame.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open(frame);
    });
  }

  viewer.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.dataset.step) show(at + Number(button.dataset.step));
    else if (button || event.target === viewer) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  viewer.addEventListener("close", () => frames[at].focus());
})();
