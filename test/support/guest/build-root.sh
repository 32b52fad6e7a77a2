#!/bin/sh
# mmdebstrap's customize hook: $1 is the new root. Leaves vmlinuz, initrd and root.ext4 in $GUEST_OUT.
# The kernel is unpacked, not installed: its maintainer scripts would only build an initrd we do not use.
set -eu
root=$1
here=$(dirname "$0")

export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
work=$(mktemp -d "$GUEST_OUT/kernel-XXXXXX")
(cd "$work" && apt-get -o APT::Sandbox::User=root download "$kernel" && dpkg-deb -x ./*.deb unpacked)
cp "$work"/unpacked/boot/vmlinuz-* "$GUEST_OUT/vmlinuz"
version=$(ls "$work/unpacked/lib/modules")
modules=$root/lib/modules/$version
mkdir -p "$modules/kernel/drivers" "$modules/kernel/arch/x86"
cd "$work/unpacked/lib/modules/$version"
cp modules.order modules.builtin modules.builtin.modinfo "$modules/"
cp -r kernel/block kernel/crypto kernel/lib "$modules/kernel/"
cp -r kernel/arch/x86/crypto "$modules/kernel/arch/x86/"
for group in md usb block mmc scsi virtio char/virtio_console.ko char/hw_random; do
  mkdir -p "$modules/kernel/drivers/$(dirname "$group")"
  cp -r "kernel/drivers/$group" "$modules/kernel/drivers/$group"
done
mkdir -p "$modules/kernel/fs"
for group in ext4 jbd2 mbcache.ko fat nls exfat; do cp -r "kernel/fs/$group" "$modules/kernel/fs/"; done
cd /
rm -rf "$work"
chroot "$root" depmod "$version"

install -m 755 "$here/root/boot" "$here/root/agent" "$root/sbin/"
install -m 644 "$here/root/inittab" "$root/etc/inittab"
chroot "$root" useradd --create-home --shell /bin/sh technician
printf 'technician ALL=(root) NOPASSWD: ALL\n' > "$root/etc/sudoers.d/technician"
chmod 440 "$root/etc/sudoers.d/technician"
printf 'guest\n' > "$root/etc/hostname"
printf '127.0.0.1 localhost guest\n' > "$root/etc/hosts"
ln -sf /proc/self/mounts "$root/etc/mtab"
rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists" "$root/usr/share/doc" "$root/usr/share/locale"

# A first root in memory: enough to find the disk that holds the real one.
early=$root/early
mkdir -p "$early/bin" "$early/modules" "$early/dev" "$early/proc" "$early/root"
cp "$root/bin/busybox" "$early/bin/busybox"
chroot "$root" modprobe --all --show-depends --set-version "$version" virtio_pci virtio_blk ext4 crc32c_generic |
  sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' > "$early/order"
while read -r module; do cp "$root$module" "$early/modules/"; done < "$early/order"
install -m 755 "$here/root/early-init" "$early/init"
chroot "$root" sh -c 'cd /early && find . | busybox cpio -o -H newc' > "$GUEST_OUT/initrd"
rm -rf "$early"

truncate -s 900M "$GUEST_OUT/root.ext4"
# A bind mount shows the root without the /proc, /sys and /dev that mmdebstrap has mounted in it.
plain=$(mktemp -d "$GUEST_OUT/plain-XXXXXX")
mount --bind "$root" "$plain"
mke2fs -q -F -t ext4 -O ^has_journal -L guest-root -d "$plain" "$GUEST_OUT/root.ext4"
umount "$plain"
rmdir "$plain"
