"""Reports: figures and rows of a period, gathered once into JSON lines, from which every other format is written."""
