// Limits how fast clients may connect: a bucket of tokens, with BLUE's random dropping before it runs dry.
// Source: BlueThrottle of Apache ZooKeeper and the connection_throttle_* options.

export interface ThrottleSettings {
  /** Tokens when full; 0 switches the throttle off. */
  readonly tokens: number;
  /** Milliseconds after which `fillCount` tokens come back. */
  readonly fillTime: number;
  readonly fillCount: number;
  /** Milliseconds between changes of the drop probability; -1 switches dropping off. */
  readonly freezeTime: number;
  readonly dropIncrease: number;
  readonly dropDecrease: number;
  readonly decreaseRatio: number;
  /** Tokens that a new session needs, and one that is known. */
  readonly newSession: number;
  readonly knownSession: number;
}

export class ConnectionThrottle {
  private readonly settings: ThrottleSettings;
  private readonly random: () => number;
  private tokens: number;
  private filledAt = 0;
  private frozenAt = 0;
  /** The probability, 0 to 1, with which a connect is refused at present. */
  dropProbability = 0;

  /** @param random a number in [0, 1) */
  constructor(settings: ThrottleSettings, random: () => number) {
    this.settings = settings;
    this.random = random;
    this.tokens = settings.tokens;
  }

  /** Whether a connect may go on. `now` in monotonic milliseconds. */
  admit(renews: boolean, now: number): boolean {
    const s = this.settings;
    if (s.tokens === 0) return true;
    const need = renews ? s.knownSession : s.newSession;
    const elapsed = now - this.filledAt;
    if (elapsed > s.fillTime) {
      this.tokens = Math.min(this.tokens + Math.floor((elapsed * s.fillCount) / s.fillTime), s.tokens);
      this.filledAt = now;
    }
    if (s.freezeTime !== -1 && this.drops(now)) return false;
    if (this.tokens < need) return false;
    this.tokens -= need;
    return true;
  }

  private drops(now: number): boolean {
    const s = this.settings;
    const used = s.tokens - this.tokens;
    if (now - this.frozenAt > s.freezeTime) {
      if (this.tokens <= 0) {
        this.dropProbability = Math.min(1, this.dropProbability + s.dropIncrease);
        this.frozenAt = now;
      } else if (used <= s.tokens * s.decreaseRatio) {
        this.dropProbability = Math.max(0, this.dropProbability - s.dropDecrease);
        this.frozenAt = now;
      }
    }
    return this.random() < this.dropProbability;
  }
}
