"""What the page of `reproduce ials` says of the paper (Han et al., IJCAI 2021); its numbers are in jobs/dt."""

LEAD = (
    "The paper moves a face by the gradients of its own classifiers, mixed with a direction that all faces share, and "
    "finds that this changes an attribute with less change of another than the shared direction alone, which is cell "
    "(1, 1). It does so on StyleGAN with ResNets on 12 pairs; here the generator and the classifiers are those at "
    "hand, and what measures an edit has not been used to make it."
)
STEPS = (
    "Unless asked otherwise, steps are as long as it takes (1, 1) to change nine of ten faces that are used for "
    "nothing else."
)
KEPT = (
    "Incremental updating (Sec. 3.3, Fig. 4)",
    "Keeping the source's direction is worse than to search anew at each step",
    "worse",
    "At (0.75, 0), the direction searched anew at each step beside the source's kept for all steps, which by the "
    "paper's pictures is clearly inferior. Both edit the same faces; differences are of the mean of q over the range "
    "of p that both reach, kept less anew, with intervals of 95 % of a paired bootstrap.",
)
"""Heading, claim, what the paper has, and what the section begins with."""
MEANS = (
    "Attribute-level directions: SVM or mean of gradients",
    "Means of gradients do as well as the normals of SVMs",
    "as well",
    "By the paper's pictures means of gradients are about as good as the normals of SVMs. Here the means are over "
    "those of the labelled faces that lack the attribute; the differences are means of gradients less SVM, as above.",
)
