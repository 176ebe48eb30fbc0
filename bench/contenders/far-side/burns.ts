// The far side of piscina for tasks that compute.
import { burnAndCount } from '../../load/receive.js';

export default burnAndCount;
