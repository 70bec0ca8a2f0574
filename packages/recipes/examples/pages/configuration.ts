// A typed configuration, changed as a whole.
import { connect } from '@nodekeeper/client';
import { LiveConfiguration, type StandardSchema } from '@nodekeeper/recipes';

// As zod, valibot or arktype would make it.
const schema: StandardSchema<{ readonly limit: number }> = {
  '~standard': {
    version: 1,
    vendor: 'example',
    validate: (value) => {
      const { limit } = value as { limit: number };
      return limit > 0 ? { value: { limit } } : { issues: [{ message: 'must be above 0', path: ['limit'] }] };
    },
  },
};

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using config = await new LiveConfiguration(client, '/config/app', { schema, initial: { limit: 10 } }).start();
config.on('change', ({ limit }) => console.log(`the limit is ${limit}`));
await config.update({ limit: 20 });
await config.edit(({ limit }) => ({ limit: limit * 2 }));
await config.update({ limit: 0 }).catch((error) => console.log(error.message));
await config.rollBack(0);
