"""The format of QuestionPro."""
