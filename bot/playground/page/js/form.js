// What has been entered in the controls of one message or view.

/** Holds the values in the shape of Slack's `state.values`. */
export class Form {
  constructor(values = {}) {
    this.values = structuredClone(values);
    this.pressed = new Map(); // which feedback button was pressed, by action id: block ids change with an update
  }

  get(block, part) {
    return this.values[block.block_id]?.[part.action_id];
  }

  set(block, part, value) {
    this.values[block.block_id] ??= {};
    this.values[block.block_id][part.action_id] = { type: part.type, ...value };
  }

  /** Keep only what the blocks of an updated view still ask for. */
  keep(blocks) {
    const ids = new Set(blocks.map((block) => block.block_id));
    for (const id of Object.keys(this.values)) if (!ids.has(id)) delete this.values[id];
  }
}
