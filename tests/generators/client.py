"""Upload one item of every kind with the client of openapi-python-client, and read each back.

Arguments: the server's URL, an API key, the file of an image. Prints what was read, as JSON.
"""

import json
import sys
from pathlib import Path

from uptake_client import AuthenticatedClient, Client
from uptake_client.api.documents import get_document
from uptake_client.api.gerosense import upload_samples
from uptake_client.api.ptengine import upload_profiles
from uptake_client.api.question_pro import upload_image
from uptake_client.api.thymia import upload_document
from uptake_client.api.users import get_user, list_images, list_samples
from uptake_client.models import (
    GerosenseSample,
    GerosenseUploadV22,
    PtengineUpload,
    ThymiaUpload,
    UploadImageBody,
)
from uptake_client.types import File

url, key, picture = sys.argv[1:]
client = AuthenticatedClient(url, key)

document = ThymiaUpload.from_dict({"user": {"userLabel": "7"}, "data": {"mood": "calm"}})
thymia = AuthenticatedClient(url, key, prefix="", auth_header_name="x-api-key")
uploaded = upload_document.sync("visit", client=thymia, body=document)
found = get_document.sync(uploaded.upload_id, client=client)

profiles = PtengineUpload(field_name=["user_id", "plan"], values=[["7", "pro"]])
upload_profiles.sync(client=client, body=profiles)

content = Path(picture).read_bytes()
form = UploadImageBody(file=File(payload=content, file_name="picture.png", mime_type="image/png"))
questionpro = AuthenticatedClient(url, key, prefix="", auth_header_name="api-key")
image = upload_image.sync("7", client=questionpro, body=form)
served = Client(url).get_httpx_client().get(image.response.image_url)

batch = [
    GerosenseSample(
        device_name="watch", start_date=f"2026-03-01T10:0{minute}:00Z", unit="count", value=10
    )
    for minute in range(3)
]
upload_samples.sync(client=client, body=GerosenseUploadV22("steps", batch, "7"))
samples = list_samples.sync("7", client=client, metric="steps").samples

read = {
    "document": found.data,
    "attributes": get_user.sync("7", client=client).attributes.to_dict(),
    "image": served.content == content,
    "images": [one.bytes_ for one in list_images.sync("7", client=client).images],
    "samples": [[one.start_date, one.value, one.device_name] for one in samples],
}
json.dump(read, sys.stdout)
