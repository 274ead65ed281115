"""用户授权: what an applicant allowed, to whom, for which application, until when – and its withdrawal."""
