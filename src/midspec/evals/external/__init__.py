"""Any task of Inspect's as an evaluation of a recipe: found, run, and its scores read into rows."""
