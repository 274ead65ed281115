"""The shelf of certificate copies in memory, with transactions over it."""

from contextlib import nullcontext
from datetime import timedelta


class Shelf:
    """`CertificateCopies`, `CertificatesUnit` and `Transactions` in one."""

    def __init__(self):
        self.copies = {}
        self.certificate_copies = self

    def put(self, copy):
        self.copies[copy.kind, copy.holder_code, copy.digest] = copy

    def replace(self, kind, holder_code, copies, step):
        had = {copy.digest: copy.fetched_at for copy in self.latest(kind, holder_code)}
        again = had.keys() == {copy.digest for copy in copies}
        if again and all(timedelta() <= copy.fetched_at - had[copy.digest] < step for copy in copies):
            return
        self.forget(holder_code, kind)
        for copy in copies:
            self.put(copy)

    def latest(self, kind, holder_code):
        own = [copy for key, copy in self.copies.items() if key[:2] == (kind, holder_code)]
        return [copy for copy in own if copy.fetched_at == max(item.fetched_at for item in own)]

    def forget(self, holder_code, kind=None):
        gone = [key for key in self.copies if key[1] == holder_code and kind in (None, key[0])]
        for key in gone:
            del self.copies[key]
        return len(gone)

    def about_to_write(self):
        return nullcontext()

    async def write(self, work):
        return work(self)

    async def read(self, work):
        return work(self)
