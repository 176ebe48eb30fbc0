// busbar's handler that computes: the payload says how much.
import { defineHandler } from '../../src/shared/handler.js';
import { burnAndCount } from '../load/receive.js';

export default defineHandler<number>(import.meta.url, burnAndCount);
