# Numbers out of octets, for the compiled modules.  Spelled out in C: of an index into a view, gcc does not see that the
# octets lie side by side, and fetches each by itself.
cdef extern from *:
    """
    static CYTHON_INLINE unsigned int tcptrace_be16(const unsigned char *octets) {
        return ((unsigned int) octets[0] << 8) | octets[1];
    }
    static CYTHON_INLINE unsigned int tcptrace_le16(const unsigned char *octets) {
        return ((unsigned int) octets[1] << 8) | octets[0];
    }
    static CYTHON_INLINE unsigned int tcptrace_be32(const unsigned char *octets) {
        return ((unsigned int) octets[0] << 24) | ((unsigned int) octets[1] << 16)
            | ((unsigned int) octets[2] << 8) | octets[3];
    }
    static CYTHON_INLINE unsigned int tcptrace_le32(const unsigned char *octets) {
        return ((unsigned int) octets[3] << 24) | ((unsigned int) octets[2] << 16)
            | ((unsigned int) octets[1] << 8) | octets[0];
    }
    """
    unsigned int big_16 "tcptrace_be16" (const unsigned char *octets) noexcept nogil
    unsigned int big_32 "tcptrace_be32" (const unsigned char *octets) noexcept nogil
    unsigned int little_16 "tcptrace_le16" (const unsigned char *octets) noexcept nogil
    unsigned int little_32 "tcptrace_le32" (const unsigned char *octets) noexcept nogil
