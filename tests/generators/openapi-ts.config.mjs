export default {
  input: 'openapi.json',
  output: { module: { extension: '.ts' }, path: 'generated' },
};
