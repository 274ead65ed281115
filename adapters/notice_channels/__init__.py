"""``gateway.notices.ports.NoticeChannel``: by e-mail, by a province's message platform, and on a developer's screen."""
