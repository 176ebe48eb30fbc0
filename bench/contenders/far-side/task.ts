// The far side of piscina and tinypool: a module whose default export is called for each task.
import { receive } from '../../load/receive.js';

export default receive;
