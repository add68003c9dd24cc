//! The firmware whose size is measured: the server, an allocator and nothing of a
//! board. Its socket and clock are memory cells, where a real one has the
//! network and timer of an embassy HAL.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use core::convert::Infallible;
    use core::future::ready;
    use core::mem::MaybeUninit;
    use core::panic::PanicInfo;
    use core::ptr::{addr_of_mut, read_volatile, write_volatile};
    use core::time::Duration;

    use cortex_m as _; // its critical sections
    use embassy_futures::block_on;
    use embedded_alloc::LlffHeap;
    use embedded_io_async::{ErrorType, Read, Write};
    use sansocket_embedded::{Clock, config, serve};

    const HEAP_LEN: usize = 16 * 1024;

    #[global_allocator]
    static HEAP: LlffHeap = LlffHeap::empty();

    static mut MEMORY: [MaybeUninit<u8>; HEAP_LEN] = [MaybeUninit::uninit(); HEAP_LEN];

    /// Where the hardware would be.
    static mut CELL: u8 = 0;

    struct Cell;

    impl ErrorType for Cell {
        type Error = Infallible;
    }

    impl Read for Cell {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
            for byte in buf.iter_mut() {
                *byte = unsafe { read_volatile(addr_of_mut!(CELL)) };
            }
            Ok(buf.len())
        }
    }

    impl Write for Cell {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
            for byte in bytes {
                unsafe { write_volatile(addr_of_mut!(CELL), *byte) };
            }
            Ok(bytes.len())
        }

        async fn flush(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    impl Clock for Cell {
        fn now(&self) -> Duration {
            Duration::from_millis(unsafe { read_volatile(addr_of_mut!(CELL)) }.into())
        }

        fn sleep(&self, _: Duration) -> impl Future<Output = ()> {
            ready(())
        }
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        unsafe { HEAP.init(addr_of_mut!(MEMORY) as usize, HEAP_LEN) };
        loop {
            let _ = block_on(serve(&mut Cell, &config(), &Cell));
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("build it with --target thumbv7em-none-eabihf");
}
