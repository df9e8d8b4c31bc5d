"""One builder a model of the miniature world; each is seeded, resumes, and records its steps, time and quality."""
