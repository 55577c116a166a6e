// Uploads one item of every kind with the client of @hey-api/openapi-ts, and reads each back.
//
// Arguments: the server's URL, an API key, the file of an image. Prints what was read, as JSON.

import { readFile } from 'node:fs/promises';

import { client } from './generated/client.gen.ts';
import * as uptake from './generated/sdk.gen.ts';

const [baseUrl, key, picture] = process.argv.slice(2);
client.setConfig({ auth: () => key, baseUrl, throwOnError: true });

const document = await uptake.uploadDocument({
  body: { data: { mood: 'calm' }, user: { userLabel: '7' } },
  path: { upload_type: 'visit' },
});
const found = await uptake.getDocument({ path: { upload_id: document.data!.uploadId } });

await uptake.uploadProfiles({ body: { field_name: ['user_id', 'plan'], values: [['7', 'pro']] } });

const content = await readFile(picture);
const image = await uptake.uploadImage({
  body: { file: new File([content], 'picture.png', { type: 'image/png' }) },
  path: { 'user-id': '7' },
});
const served = await fetch(image.data!.response.imageURL);

await uptake.uploadSamples({
  body: {
    data: [0, 1, 2].map((minute) => ({
      device_name: 'watch',
      start_date: `2026-03-01T10:0${minute}:00Z`,
      unit: 'count' as const,
      value: 10,
    })),
    data_type: 'steps',
    user_id: '7',
  },
});
const samples = await uptake.listSamples({ path: { user_id: '7' }, query: { metric: 'steps' } });
const user = await uptake.getUser({ path: { user_id: '7' } });
const images = await uptake.listImages({ path: { user_id: '7' } });

console.log(
  JSON.stringify({
    attributes: user.data!.attributes,
    document: found.data!.data,
    image: content.equals(new Uint8Array(await served.arrayBuffer())),
    images: images.data!.images.map((one) => one.bytes),
    samples: samples.data!.samples.map((one) => [one.start_date, one.value, one.device_name]),
  }),
);
