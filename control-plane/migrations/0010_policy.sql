-- What an organization asks of its members.
alter table control.organization
    add column second_factor text not null default 'optional'
        check (second_factor in ('optional', 'required'));
