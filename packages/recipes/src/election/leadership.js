// What a leader has in hand.
export function leadershipOf(tenure) {
    const { path, czxid } = tenure.seat;
    return { fencingToken: czxid, path, signal: tenure.over };
}
//# sourceMappingURL=leadership.js.map