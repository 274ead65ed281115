"""``python -m tests.browser.album``: the pictures of ``docs/screens.md``, from those that ``make browser`` took.

The page decides: every ``screens/NAME.png`` that it shows is made anew, smaller and in few colours, and what it shows
no more is removed.
"""

import re
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "screens.md"
ALBUM = PAGE.parent / "screens"
TAKEN = ROOT / "build" / "screens"
WIDEST, LONGEST = 760, 1150
"""Pixels; what is longer is cut below."""
COLOURS = 40


def shown() -> list[str]:
    """File names of the pictures on the page, in its order."""
    return re.findall(r"\(screens/([\w.-]+\.png)\)", PAGE.read_text("utf-8"))


def small(picture: Image.Image) -> Image.Image:
    """``picture`` as it goes into the repository."""
    picture = picture.convert("RGB")
    share = min(1.0, WIDEST / picture.width)
    scaled = picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.LANCZOS)
    cut = scaled.crop((0, 0, scaled.width, min(scaled.height, LONGEST)))
    # By octree, because the median cut loses what is rare: red.
    return cut.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def main() -> int:
    names = shown()
    missing = [name for name in names if not (TAKEN / name).is_file()]
    if missing:
        print(f"not in {TAKEN.relative_to(ROOT)}: {', '.join(missing)}; make browser takes them", file=sys.stderr)
        return 1
    ALBUM.mkdir(exist_ok=True)
    for name in names:
        small(Image.open(TAKEN / name)).save(ALBUM / name, optimize=True)
    for old in {each.name for each in ALBUM.glob("*.png")} - set(names):
        (ALBUM / old).unlink()
    print(f"{len(names)} pictures, {sum((ALBUM / name).stat().st_size for name in names) // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
