// What programs test their handlers with: `import … from 'busbar/testing'`.
export { SteppedClock, type SteppedClockOptions } from './stepped-clock.js';
