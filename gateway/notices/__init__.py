"""消息: what an applicant is told of their application, made with the fact itself, and told once."""
