"""Understanding what customers write, in Chinese and English: a pure function of the text, read in docs/language.md."""
