/** Something this machine lacks and the bootstrap cannot get; the message is for the person. */
export class Unmet extends Error {}
