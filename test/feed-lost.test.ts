// What a partition's feed acknowledges, and what it does not, once its connection was lost.
import { describe, expect, it } from '@jest/globals';
import { feeds, turns } from './feed-by-hand.js';

describe("a partition's feed whose connection was lost", () => {
  it('notes what it held back when the connection was lost: no process vanished with it', async () => {
    const { feed, seen, comes } = feeds(2, 9000);
    feed.start();
    await turns();
    for (let count = 2; count <= 11; count++) {
      comes(6, count);
      feed.lost();
      feed.reconnected();
      await turns();
    }
    comes(5, 2);
    comes(6, 12);
    expect(seen).toEqual(['m5 after 1', 'm6 after 1']);
    feed.close();
  });

  it('acknowledges nothing by its sequence alone once it was away: servers may have given that to another message', async () => {
    const { feed, seen, sent, tickets, comes } = feeds(0, 9000);
    feed.start();
    await turns();
    for (const sequence of [7, 8]) comes(sequence, 1);
    for (const ticket of tickets) ticket.settle('succeeded');
    sent.length = 0;
    feed.lost();
    feed.reconnected();
    await turns();
    const acknowledged = (): string[] => sent.filter((each) => each.startsWith('+ACK'));
    expect(acknowledged()).toEqual([]);
    comes(7, 2);
    expect(acknowledged()).toEqual(['+ACK $JS.ACK.s.c.2.7.9.1700000000000000000.0']);
    comes(8, 1, '1700000000000000001');
    expect(acknowledged()).toHaveLength(1);
    expect(seen.slice(2)).toEqual(['m8 after 1']);
    feed.close();
  });

  it('withholds what is settled once the connection was lost, until its message comes again or the server knows it', async () => {
    // The consumer says that it delivered up to 6: of 7 and 8 the servers know nothing any more.
    const { feed, seen, tickets, comes, answered } = feeds(2, 9000);
    feed.start();
    await turns();
    for (const sequence of [5, 6, 7, 8]) comes(sequence, 1);
    feed.lost();
    feed.reconnected();
    for (const index of [1, 2, 3]) tickets[index]?.settle('succeeded');
    await turns();
    expect(answered()).toEqual([]);
    comes(6, 2);
    tickets[0]?.settle('succeeded');
    expect(answered()).toEqual(['2.6.11', '1.5.7']);
    comes(7, 1);
    comes(8, 1, '1700000000000000001');
    expect(answered().slice(2)).toEqual(['1.7.12']);
    expect(seen.slice(4)).toEqual(['m8 after 1']);
    feed.close();
  });

  it('acknowledges what is settled after a lost connection though it asks for nothing more', async () => {
    const { feed, tickets, comes, answered } = feeds(2, 9000);
    feed.start();
    await turns();
    for (const sequence of [5, 6]) comes(sequence, 2);
    await feed.pause();
    feed.lost();
    tickets[0]?.settle('succeeded');
    feed.reconnected();
    tickets[1]?.settle('succeeded');
    await feed.settled();
    expect(answered()).toEqual(['2.5.7', '2.6.8']);
    feed.close();
  });

  it('acknowledges it, too, when it is paused before it has made sure of what is missing', async () => {
    const { feed, tickets, comes, answered } = feeds(2, 9000);
    feed.start();
    await turns();
    for (const sequence of [5, 6]) comes(sequence, 2);
    feed.lost();
    tickets[0]?.settle('succeeded');
    feed.reconnected();
    await feed.pause();
    tickets[1]?.settle('succeeded');
    await feed.settled();
    expect(answered()).toEqual(['2.5.7', '2.6.8']);
    feed.close();
  });

  it('acknowledges nothing of its sequence when another message came and was not handed over before a pause', async () => {
    const { feed, link, seen, tickets, comes, answered } = feeds(2, 9000);
    feed.start();
    await turns();
    for (const sequence of [5, 6, 7]) comes(sequence, sequence === 7 ? 1 : 2);
    feed.lost();
    for (const ticket of tickets) ticket.settle('succeeded');
    feed.reconnected();
    await turns();
    // 5 and 6 are missing: the next ones wait for them.
    comes(7, 1, '1700000000000000001');
    comes(6, 3);
    link.deliveredUpTo = 7;
    await feed.pause();
    await feed.settled();
    expect(seen).toHaveLength(3);
    expect(answered().sort()).toEqual(['2.5.7', '3.6.11']);
    feed.close();
  });

  it('hands over nothing by its old delivery that waited for its lease when the connection was lost', async () => {
    const { feed, lease, seen, tickets, comes, marking, answered } = feeds(0, 6);
    feed.start();
    await turns();
    comes(7, 1);
    feed.lost();
    feed.reconnected();
    lease.mark = 9000;
    marking.isDone();
    await turns();
    expect(seen).toEqual([]);
    comes(7, 2);
    expect(seen).toEqual(['m7 after 0']);
    tickets[0]?.settle('succeeded');
    expect(answered()).toEqual(['2.7.8']);
    feed.close();
  });

  it('acknowledges nothing that the servers forgot, though they have delivered another message of its sequence since', async () => {
    for (const settlesFirst of [true, false]) {
      const { feed, link, seen, sent, tickets, comes, answered } = feeds(0, 9000);
      feed.start();
      await turns();
      comes(7, 1);
      feed.lost();
      if (settlesFirst) tickets[0]?.settle('succeeded');
      feed.reconnected();
      await turns();
      // Another 7 is on its way when the connection is lost again.
      feed.lost();
      Object.assign(link, { deliveredUpTo: 7, unacknowledged: 1 });
      feed.reconnected();
      await turns();
      if (!settlesFirst) tickets[0]?.settle('succeeded');
      expect(answered()).toEqual([]);
      expect(sent).toContain('-NAK $JS.ACK.s.c.1.7.7.0.0');
      comes(7, 2, '1700000000000000001');
      expect(seen).toEqual(['m7 after 1', 'm7 after 1']);
      tickets[1]?.settle('succeeded');
      expect(answered()).toEqual(['2.7.8']);
      feed.close();
    }
  });

  it('acknowledges nothing from before while it is not sure that it still holds its partition', async () => {
    // Servers that elect a leader renew nothing at first.
    for (const [isHeld, ...renewals] of [[true, true], [true, false, true], [false]]) {
      const { feed, lease, tickets, comes, answered } = feeds(2, 9000);
      feed.start();
      await turns();
      for (const sequence of [5, 6]) comes(sequence, 2);
      feed.lost();
      lease.isTrusted = false;
      lease.renew = async () => {
        lease.isLost = renewals.length === 0;
        return renewals.shift() ?? false;
      };
      feed.reconnected();
      await turns();
      for (const ticket of tickets) ticket.settle('succeeded');
      while (renewals.length > 0) await turns();
      await turns();
      expect(answered()).toEqual(isHeld ? ['2.5.7', '2.6.8'] : []);
      feed.close();
    }
  });

  it('hands over another message of a sequence that is here in its turn: after what is missing', async () => {
    const { feed, seen, tickets, comes } = feeds(2, 9000);
    feed.start();
    await turns();
    for (const sequence of [5, 6, 7]) comes(sequence, sequence === 7 ? 1 : 2);
    tickets[0]?.release(1);
    seen.length = 0;
    feed.lost();
    feed.reconnected();
    await turns();
    comes(7, 1, '1700000000000000001');
    await turns();
    comes(5, 3);
    expect(seen).toEqual(['m5 after 1', 'm7 after 1']);
    feed.close();
  });
});
