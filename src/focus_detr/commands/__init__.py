"""The commands of ``focus-detr``, a module each; scripts of the same names call them too."""
