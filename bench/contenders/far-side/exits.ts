// The far side of piscina for a task that ends its thread: the handler of busbar's own row, without busbar.
import exits from '../../failing/exits.js';

export default exits.handle as (file: string) => number;
