// Where Piscina's worker enters a lane: CommonJS, because it loads a task's file with require(). A thread that is ended
// in the middle of a require() of an ES module takes the whole process down (Node 20: "IsGraphAsync must be used on an
// instantiated module"); one that is ended in the middle of an import() does not.
//
// Everything is loaded as soon as the thread begins, handlers included: a spare thread takes over within milliseconds.
const lane = import('./lane.js');
// A thread without a task has nobody to tell; the first task will.
lane.then(({ preload }) => preload()).catch(() => undefined);

type RunLaneTask = typeof import('./lane.js', { with: { 'resolution-mode': 'import' }})['default'];

const enterLane: RunLaneTask = async (task) => {
  return (await lane).default(task);
};

export = enterLane;
