/** Channels of a head that the sums of the subgroup loop have room for in workgroup memory. */
export const SUBGROUP_CHANNELS = 64;

/** Queries of a workgroup of the subgroup loop, for each of a lane's quads. */
export const SUBGROUP_QUERIES = 32;
