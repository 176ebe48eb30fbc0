// busbar's handler that looks whether messages come complete and in order.
import { defineHandler } from '../../src/shared/handler.js';
import { receiveNumbered } from '../load/receive.js';

export default defineHandler(import.meta.url, receiveNumbered);
