-- What was made by other means than ours, and names an organization as its own.

alter table control.platform
    -- The uid of the blueprint that was found so; nothing once the organization has claimed it, or of what
    -- it made by us.
    add column found uuid;

create index platform_found on control.platform (name) where found is not null and gone_at is null;
