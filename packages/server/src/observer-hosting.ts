// A follower while it serves observers at observerMasterPort.

import { ObserverMaster, type ObserverMasterHost } from './broadcast/observer-master.js';
import type { EnsembleServer } from './ensemble-server.js';
import { ServerHistory } from './history-host.js';
import { LearnerPort } from './learner-port.js';
import type { ForwardingProcessor, LeaderLink, ValidityTaker } from './request/forwarding.js';
import type { ForeignRequest } from './request/originating.js';

export class ObserverHosting extends ServerHistory implements ObserverMasterHost {
  readonly master: ObserverMaster;
  readonly tellsOfMoves: boolean;
  private readonly port: LearnerPort;
  private readonly processor: ForwardingProcessor;
  private readonly link: LeaderLink;

  /** @param tellsOfMoves see {@link ObserverMasterHost} */
  constructor(
    server: EnsembleServer,
    processor: ForwardingProcessor,
    link: LeaderLink,
    tellsOfMoves: boolean,
    port: number,
  ) {
    super(server);
    this.tellsOfMoves = tellsOfMoves;
    this.processor = processor;
    this.link = link;
    this.master = new ObserverMaster(this);
    this.port = new LearnerPort(server, 'port for observers', (wire, first) => this.master.accept(wire, first));
    this.port.open(server.membership.own.quorumAddresses.map(({ host }) => ({ host, port })));
  }

  get sizeLimit(): number {
    return this.server.ensemble.observerMasterSizeLimit;
  }

  knowsSession(id: bigint): boolean {
    return this.server.database.sessionTimeouts.has(id);
  }

  handedOver(session: bigint): void {
    this.processor.handOver(session);
  }

  holdsSession(id: bigint): boolean {
    return this.processor.holds(id);
  }

  revalidate(session: bigint, timeout: number, ifFree: boolean, answer: ValidityTaker): void {
    this.processor.askFor(session, timeout, ifFree, answer);
  }

  sync({ session, cxid, body }: ForeignRequest, answer: () => void): void {
    this.processor.forwardSync(session, cxid, body, answer);
  }

  forward({ session, cxid, op, body, identities }: ForeignRequest): void {
    this.link.request(session, cxid, op, body, identities);
  }

  end(reason: string): void {
    this.port.close();
    this.master.end(reason);
  }
}
