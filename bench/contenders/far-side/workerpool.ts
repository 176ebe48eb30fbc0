// The far side of workerpool: a registered method.
import workerpool from 'workerpool';
import { receive } from '../../load/receive.js';

workerpool.worker({ receive });
