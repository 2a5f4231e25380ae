"""How a number, a file, a sentence of the report or a picture came about: `facestudy trace`.

Everything is read from DVC's records, from Git and from what the stages wrote; nothing is written."""
