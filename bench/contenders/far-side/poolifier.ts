// The far side of poolifier: a thread worker with one task function.
import { ThreadWorker } from 'poolifier';
import { receive } from '../../load/receive.js';

export default new ThreadWorker(receive);
