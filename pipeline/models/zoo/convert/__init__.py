"""From the files of others to tensors under our own names: one file for each network whose graph we do not keep."""
