// What programs test their handlers with: `import … from 'busbar/testing'`.
export type { FaultKind } from '../shared/fault-plan.js';
export type { SettledDelivery } from '../shared/settled-delivery.js';
export type { FaultOptions } from './fault-options.js';
export type { Ledger } from './ledger.js';
export { SteppedClock, type SteppedClockOptions } from './stepped-clock.js';
export {
  createTestBus,
  type SettledOptions,
  type TestBus,
  type TestBusOptions,
  type WaitOptions,
} from './test-bus.js';
