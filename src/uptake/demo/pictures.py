"""Pictures drawn on the spot, one of them as a phone would have taken it."""

import io
from random import Random

from PIL import ExifTags, Image, ImageDraw

KINDS = ("PNG", "JPEG", "GIF", "WEBP")
SIDE = 256
PHOTO_SIZE = (640, 480)
"""As the sensor lies; `ON_ITS_SIDE` has it shown as 480 by 640."""

ON_ITS_SIDE = 6
"""The EXIF orientation of a phone held upright."""


def avatar(kind: str, random: Random) -> bytes:
    """A picture of coloured discs, no two alike."""
    picture = Image.new("RGB", (SIDE, SIDE), _colour(random))
    draw = ImageDraw.Draw(picture)
    for _ in range(8):
        x, y, radius = (random.randrange(SIDE), random.randrange(SIDE), random.randrange(20, 90))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(random))
    return _file(picture, kind)


def photo(random: Random) -> bytes:
    """A JPEG that lies on its side, with the place where it was taken in its EXIF data."""
    picture = Image.new("RGB", PHOTO_SIZE, (120, 170, 220))
    draw = ImageDraw.Draw(picture)
    for x in range(0, PHOTO_SIZE[0], 32):
        draw.rectangle((x, 480 - random.randrange(60, 380), x + 24, 480), fill=_colour(random))
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Demo Phone"
    exif[ExifTags.Base.Orientation] = ON_ITS_SIDE
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place.update({1: "N", 2: (38.0, 42.0, 49.0), 3: "W", 4: (9.0, 8.0, 21.0)})
    return _file(picture, "JPEG", exif=exif.tobytes())


def tells_nothing(content: bytes) -> bool:
    """Whether a picture carries no EXIF data."""
    with Image.open(io.BytesIO(content)) as picture:
        return not picture.getexif()


def _file(picture: Image.Image, kind: str, **options: bytes) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _colour(random: Random) -> tuple[int, int, int]:
    return random.randrange(256), random.randrange(256), random.randrange(256)
