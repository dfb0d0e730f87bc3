from tcptrace_py._octets cimport big_16, big_32, little_16, little_32
