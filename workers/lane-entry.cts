// Where Piscina's worker enters a lane: CommonJS, because it loads a task's file with require(). A thread that is ended
// in the middle of a require() of an ES module takes the whole process down (Node 20: "IsGraphAsync must be used on an
// instantiated module"); one that is ended in the middle of an import() does not.
let lane: Promise<typeof import('./lane.js', { with: { 'resolution-mode': 'import' }})> | undefined;

type RunLaneTask = typeof import('./lane.js', { with: { 'resolution-mode': 'import' }})['default'];

const enterLane: RunLaneTask = async (task) => {
  lane ??= import('./lane.js');
  return (await lane).default(task);
};

export = enterLane;
