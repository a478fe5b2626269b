//! What only the sled engine has to prove: its files, its lock, its disk and its failures.
