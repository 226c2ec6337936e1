"""The paper's numbers (Han et al., Disentangled Face Attribute Editing via Instance-Aware Latent Space Search)."""

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_ROWS = (
    (0.8393, 0.8454, 0.8445, 0.8444, 0.8302),
    (0.8717, 0.8675, 0.8684, 0.8706, 0.8463),
    (0.8882, 0.8889, 0.8886, 0.8922, 0.8660),
    (0.9025, 0.8992, 0.9010, 0.9003, 0.8742),
    (0.8999, 0.9003, 0.9006, 0.9013, 0.8662),
)
TABLE_1 = {
    (lambda1, lambda2): mean
    for lambda1, row in zip(_SHARES, _ROWS, strict=True)
    for lambda2, mean in zip(_SHARES, row, strict=True)
}
"""Mean AUC of all DT curves by (lambda1, lambda2); 12 ordered pairs, StyleGAN, w."""
KEEPS_WELL = (0.75, 0.75)
"""The paper's plateau: lambda1 is this or more, and lambda2 this or less. (1, 1) is found worse."""
