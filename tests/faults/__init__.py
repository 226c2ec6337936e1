"""What goes wrong on a cluster, made to happen: nothing is lost, and the bytes are those of an undisturbed run."""
