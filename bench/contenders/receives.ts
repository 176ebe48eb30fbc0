// busbar's handler in the benchmark: what every contender's far side does.
import { defineHandler } from '../../src/shared/handler.js';
import { receive } from '../load/receive.js';

export default defineHandler(import.meta.url, receive);
