import { grantAdmin, prepareOrganisation } from '#functions/api/prepare.ts';
import { createCore } from './core.ts';
import { openTable } from './parts-table.ts';
import { functionOf } from './pipeline.ts';

const core = createCore('prepare', ['table']);
const { store } = openTable(core);
const { organisation } = core.settings;

/**
 * Invoked by whoever deployed: makes what an organisation starts with, and grants one admin token, which the answer holds
 * the first time only. `{"again": true}` grants another, for whoever lost it.
 */
export const handler = functionOf(
  core,
  async (event: { again?: boolean } | null): Promise<{ organisation: string; token?: string }> => {
    await prepareOrganisation(store, organisation);
    const token = await grantAdmin({ store, clock: core.clock }, organisation, { again: event?.again === true });
    return { organisation, ...(token === undefined ? {} : { token }) };
  },
);
