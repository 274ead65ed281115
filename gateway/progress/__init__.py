"""进度: what an applicant sees of their application – stages, permits, deadlines, and who read what."""
