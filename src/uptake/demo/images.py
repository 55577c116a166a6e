"""Images of some users, drawn here and uploaded as QuestionPro's clients do."""

import io
from dataclasses import replace
from random import Random

from PIL import ExifTags, Image, ImageDraw

from uptake.demo.plan import Plan, Upload

WITH_IMAGE = 24
"""How many users have an image; the first has a photo too."""

FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
SIZE = (320, 240)
BOUNDARY = "uptake-demo"


def image_uploads(plan: Plan) -> list[Upload]:
    """Return images in every format, a photo, and a repeated image."""
    contents = [
        (person.user_id, _picture(FORMATS[i % len(FORMATS)], plan.random))
        for i, person in enumerate(plan.people[:WITH_IMAGE])
    ]
    contents.append((plan.people[0].user_id, _picture("JPEG", plan.random, exif=_exif())))
    plan.images.update(user_id for user_id, _ in contents)
    found = [
        Upload(f"/a/api/v2/users/{user_id}/images?apiKey={plan.keys.sender}", *_form(content))
        for user_id, content in contents
    ]
    return [*found, replace(found[0], later=True)]


def _form(content: bytes) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a multipart form with one file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="picture"\r\n'
    body = f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + content
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return headers, body + f"\r\n--{BOUNDARY}--\r\n".encode()


def _picture(kind: str, random: Random, **options: bytes) -> bytes:
    """An image of coloured discs, each different."""
    picture = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(picture)
    for _ in range(8):
        x, y, radius, *colour = (random.randrange(256) for _ in range(6))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(colour))
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _exif() -> bytes:
    """Metadata as written by a phone that is held upright: orientation and location."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Demo Phone"
    exif[ExifTags.Base.Orientation] = 6
    location = exif.get_ifd(ExifTags.IFD.GPSInfo)
    location.update({1: "N", 2: (38.0, 42.0, 49.0), 3: "W", 4: (9.0, 8.0, 21.0)})
    return exif.tobytes()


def has_exif(content: bytes) -> bool:
    """Return whether an image contains EXIF data."""
    with Image.open(io.BytesIO(content)) as picture:
        return bool(picture.getexif())
