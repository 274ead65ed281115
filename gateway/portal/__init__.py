"""门户: what people see in a browser – applicants, operators, the public, the authority.

Server-rendered pages over the very services that the interfaces use; nothing is decided here. An area is a folder
with its ``router``, its templates under ``templates/<area>/`` and its English in ``locale/en/<area>.po``. Every page
works without JavaScript; what script there is comes from here, under a policy that lets nothing else run.
"""
