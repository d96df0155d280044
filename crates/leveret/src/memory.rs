//! The memory monitor as the engine asks for it.

use broker::{MemoryControl, MemoryFigures, MemoryWatermark};
use server::{MemoryMonitor, Watermark};

/// Lets administrative commands change the watermark of a running monitor.
pub(crate) struct Monitored {
    pub(crate) monitor: MemoryMonitor,
    pub(crate) total_bytes: u64,
}

impl MemoryControl for Monitored {
    fn set_watermark(&self, watermark: MemoryWatermark) {
        self.monitor.set_watermark(match watermark {
            MemoryWatermark::Relative(share) => Watermark::Relative(share),
            MemoryWatermark::Absolute(bytes) => Watermark::Absolute(bytes),
        });
    }

    fn figures(&self) -> MemoryFigures {
        MemoryFigures {
            used_bytes: self.monitor.used(),
            limit_bytes: self.monitor.limit(),
            total_bytes: self.total_bytes,
        }
    }
}
